"""What people see: plans, progress and summaries as text, HTML and pictures. All that is shown is handed in."""
