"""Machines on AWS Fargate: all that is said to ECS, CloudWatch Logs, ECR and Secrets Manager for a pool of workers.

``fleet`` is the seam's implementation. It acts; what it goes by is pure: ``outcomes`` reads what ECS says of a task,
``refusals`` what it answers instead of starting one, ``machines`` knows who is to be looked at when, ``rates`` how much
may be asked, ``agenda`` what comes first.
"""
