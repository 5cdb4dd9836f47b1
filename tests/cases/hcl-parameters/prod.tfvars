image   = "nginx:1.27"
command = ["nginx", "-g", "daemon off;"]
