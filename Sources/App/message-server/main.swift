print("message-server")
