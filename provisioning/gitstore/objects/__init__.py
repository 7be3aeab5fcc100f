"""Git objects: read and written as files, without libgit2 where that is faster."""
