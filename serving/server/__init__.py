"""The local server: answers as tensorflow_model_server 2.16.1 does, for laptops, tests and infra validation."""
