/* SPDX-License-Identifier: MIT */
/*
 * Numbers of the 9P protocols. Names follow the documents: Plan 9 manual section 5 ("intro",
 * "open", "stat"), 9P2000.u ("Unix Extension"), diod's protocol.md ("9P2000.L Protocol").
 */
#ifndef MHI_VIRTIO_P9_PROTO_H
#define MHI_VIRTIO_P9_PROTO_H

/* Requests. The reply's type is one more. */
enum {
	P9_RLERROR = 7, /* there is no Tlerror */
	P9_TSTATFS = 8,
	P9_TLOPEN = 12,
	P9_TLCREATE = 14,
	P9_TSYMLINK = 16,
	P9_TMKNOD = 18,
	P9_TRENAME = 20,
	P9_TREADLINK = 22,
	P9_TGETATTR = 24,
	P9_TSETATTR = 26,
	P9_TXATTRWALK = 30,
	P9_TXATTRCREATE = 32,
	P9_TREADDIR = 40,
	P9_TFSYNC = 50,
	P9_TLOCK = 52,
	P9_TGETLOCK = 54,
	P9_TLINK = 70,
	P9_TMKDIR = 72,
	P9_TRENAMEAT = 74,
	P9_TUNLINKAT = 76,
	P9_TVERSION = 100,
	P9_TAUTH = 102,
	P9_TATTACH = 104,
	P9_RERROR = 107, /* there is no Terror */
	P9_TFLUSH = 108,
	P9_TWALK = 110,
	P9_TOPEN = 112,
	P9_TCREATE = 114,
	P9_TREAD = 116,
	P9_TWRITE = 118,
	P9_TCLUNK = 120,
	P9_TREMOVE = 122,
	P9_TSTAT = 124,
	P9_TWSTAT = 126,
	P9_TYPES = 128,
};

#define P9_NOTAG 0xffffu
#define P9_NOFID 0xffffffffu
#define P9_NONUNAME 0xffffffffu

#define P9_HEADER 7	   /* size[4] type[1] tag[2] */
#define P9_READ_HEADER 11  /* header, count[4] */
#define P9_WRITE_HEADER 23 /* header, fid[4] offset[8] count[4] */
#define P9_MAXWELEM 16
#define P9_QID_BYTES 13

/* qid.type */
#define P9_QTDIR 0x80
#define P9_QTSYMLINK 0x02
#define P9_QTFILE 0x00

/* Tgetattr's request_mask */
#define P9_GETATTR_BASIC 0x000007ffull
#define P9_GETATTR_BTIME 0x00000800ull
#define P9_GETATTR_GEN 0x00001000ull

/* Tsetattr's valid */
#define P9_SETATTR_MODE 0x001u
#define P9_SETATTR_UID 0x002u
#define P9_SETATTR_GID 0x004u
#define P9_SETATTR_SIZE 0x008u
#define P9_SETATTR_ATIME 0x010u
#define P9_SETATTR_MTIME 0x020u
#define P9_SETATTR_CTIME 0x040u
#define P9_SETATTR_ATIME_SET 0x080u
#define P9_SETATTR_MTIME_SET 0x100u
#define P9_SETATTR_ALL 0x1ffu

/* Tlopen's and Tlcreate's flags: fixed numbers, whatever the host's are */
#define P9_DOTL_ACCMODE 00000003u
#define P9_DOTL_EXCL 00000200u
#define P9_DOTL_TRUNC 00001000u
#define P9_DOTL_APPEND 00002000u
#define P9_DOTL_DSYNC 00010000u
#define P9_DOTL_DIRECTORY 00200000u
#define P9_DOTL_SYNC 04000000u

#define P9_DOTL_AT_REMOVEDIR 0x200u

/* Tlock, Tgetlock */
#define P9_LOCK_RDLCK 0
#define P9_LOCK_WRLCK 1
#define P9_LOCK_UNLCK 2
#define P9_LOCK_SUCCESS 0
#define P9_LOCK_BLOCKED 1
#define P9_LOCK_ERROR 2

/* Txattrcreate's flags */
#define P9_XATTR_CREATE 1u
#define P9_XATTR_REPLACE 2u

/* Rstatfs' type: what Linux calls V9FS_MAGIC */
#define P9_STATFS_TYPE 0x01021997u

/* Topen's and Tcreate's mode */
#define P9_OREAD 0u
#define P9_OWRITE 1u
#define P9_ORDWR 2u
#define P9_OEXEC 3u
#define P9_OTRUNC 0x10u
#define P9_ORCLOSE 0x40u
#define P9_OAPPEND 0x80u

/* mode of stat and Tcreate */
#define P9_DMDIR 0x80000000u
#define P9_DMSYMLINK 0x02000000u
#define P9_DMLINK 0x01000000u
#define P9_DMDEVICE 0x00800000u
#define P9_DMNAMEDPIPE 0x00200000u
#define P9_DMSOCKET 0x00100000u
#define P9_DMSETUID 0x00080000u
#define P9_DMSETGID 0x00040000u
#define P9_DMSETVTX 0x00010000u
#define P9_DMSPECIAL (P9_DMSYMLINK | P9_DMLINK | P9_DMDEVICE | P9_DMNAMEDPIPE | P9_DMSOCKET)

#endif
