# The one agent of compose.yaml: a server with nobody beside it.
server           = true
bootstrap_expect = 1
# A fixed name: the catalogue outlives the container.
node_name = "consul"
data_dir  = "/consul/data"

# Everybody in the network may ask; there is no other server to talk to.
client_addr = "0.0.0.0"
bind_addr   = "127.0.0.1"

# A leader within a second or two; the default is made for small virtual machines.
performance {
  raft_multiplier = 1
}

# Every process watches its services: one connection each, and the gateway's few more (the default is 200).
limits {
  http_max_conns_per_client = 400
}

# Metrics at /v1/agent/metrics?format=prometheus; off by default.
telemetry {
  prometheus_retention_time = "60s"
  disable_hostname          = true
}

# The link from a service's page to its dashboard is in compose.yaml: it has Grafana's published port in it.
ui_config {
  enabled = true
}

# No calls home.
disable_update_check = true
