# Of every test that says nothing of its own: a created source is not without authorities.
source_database = { ca_file = "tests/ca.pem" }
