# Of every test that says nothing of its own. A created source is not without authorities.
source_database = { ca_file = "tests/ca.pem" }

# Else every run warns that alarms reach nobody, which ends it.
monitoring = { emails = ["data@example.com"] }
