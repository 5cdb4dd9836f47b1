db_password_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf"
