print("m2m-proxy")
