//go:build synctests

package sim

import (
	"github.com/cockroachdb/pebble/v2/vfs"

	"hongbao/eventstore"
)

// disk is the file system of one life of a process.
type disk struct {
	vfs.FS
}

func newDisk(m *eventstore.Memory) *disk { return &disk{FS: m.FS()} }

func (d *disk) Unwrap() vfs.FS { return d.FS }
