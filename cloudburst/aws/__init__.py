"""What a pipeline needs in an AWS account: made, shown, and removed again as one CloudFormation stack."""
