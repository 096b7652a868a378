"""Where pictures and data come from, said and shown: records, hashes, signatures, audits."""
