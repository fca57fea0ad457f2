"""What people and programs read: tables, the summary, Markdown, exports of calls."""
