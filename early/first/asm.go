//go:build amd64 || arm64

package first

// setNofile sets the limit to nofile. It cannot fail: the hard limit is as it was.
func setNofile()

// populate has the kernel fill the pages from start on, to be written to
// (madvise(2), MADV_POPULATE_WRITE, since Linux 5.14). Nothing depends on it.
func populate(start, length uintptr)
