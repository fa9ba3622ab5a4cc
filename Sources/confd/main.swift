print("confd")
