[
  {
    "name": "api",
    "image": "${image}",
    "portMappings": [{"containerPort": ${port}}],
    "command": [
%{ for flag in flags ~}
      "--${flag}",
%{ endfor ~}
      "serve"
    ]
  }
]
