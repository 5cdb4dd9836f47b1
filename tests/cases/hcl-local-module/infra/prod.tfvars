# Terraform reads this file only if it is named.
image = "unused"
