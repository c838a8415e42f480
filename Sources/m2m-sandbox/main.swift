print("m2m-sandbox")
