"""Output for people and programs: tables, the summary, Markdown, HTML, traces, exports."""
