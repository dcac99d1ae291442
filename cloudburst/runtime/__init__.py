"""Where plans run: what a task is, who performs it, who decides and who acts."""
