"""What an image, and the files around it, say of the rights in it: licence, creator, source, and whether it may be trained on.

Only what is written in files is read. Whether a statement binds anybody, or a licence was rightly given, no program can tell.
"""
