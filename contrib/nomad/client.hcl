# Nomad's client, with dockerd configured as in ../docker: a job may then say runtime = "mesoc" in the
# config of its docker task.
plugin "docker" {
  config {
    allow_runtimes = ["runc", "mesoc"]
  }
}
