// Package machine plays LBVM on emulated machines (QEMU without hardware help), for what no container can show: the real
// Xen with xl, and a real GFS2 with DLM, on two machines that share a disk.
//
// `make test-xen` and `make test-gfs2` run it; other runs skip it, and say so. The disk of the machines is made once by
// image.sh and kept in LBVM_CACHE (/var/cache/lbvm-test unless set). What each step did goes into the file that LBVM_LOG names.
package machine
