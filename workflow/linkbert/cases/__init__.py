"""The paper's case studies (figures 3 and 4): what each model answers to one question, from the predictions it left.

`answers` finds the question among a task's examples and looks the answers up, `page` shows them. Nothing is trained and
no model is loaded: every fine-tuning run keeps the prediction of every dev and test example.
"""
