"""What ``cloudburst doctor`` looks at: whether all that pipelines need on AWS is there, and lets itself be used."""
