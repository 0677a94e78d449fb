package eventstore

import (
	"math/rand/v2"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Memory is a disk in memory, for simulations of other rooms: they do not know Pebble.
type Memory struct{ fs *vfs.MemFS }

// NewMemory is an empty disk that knows what has been synced.
func NewMemory() *Memory { return &Memory{vfs.NewCrashableMem()} }

// FS is what Config.FS takes.
func (m *Memory) FS() vfs.FS { return m.fs }

// Crash is the disk that a crash at this moment would leave: all that was synced, and of the rest a part of so many percent, drawn from rng.
// It is not locked. The disk itself goes on; close the Store on it, to end its goroutines.
func (m *Memory) Crash(percent int, rng *rand.Rand) *Memory {
	return &Memory{m.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rng})}
}
