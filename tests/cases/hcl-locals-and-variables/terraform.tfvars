image_tag = "v3"
environment = {
  log_level = "debug"
  region    = "eu"
}
