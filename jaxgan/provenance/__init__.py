"""Where images come from, and what was made of them: records, marks, manifests, audits."""
