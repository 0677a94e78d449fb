package admission

import (
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"
)

// Memory answers in Redis's place, for tests and simulation: the scripts of lua/ said again in
// Go over a map, held to the same conformance suite. One Memory is one Redis for all gates that
// are given it. Methods are safe for concurrent use.
type Memory struct {
	now func() time.Time
	all bool // NewOpen

	mu     sync.Mutex
	down   bool
	slow   time.Duration // SetSlow
	starts int           // processes so far, which names the present one
	data   map[string]entry
	calls  Calls
}

// Calls are how many scripts a Memory was asked to run, how many of them failed since it was down, and how many answers SetSlow held up.
type Calls struct{ All, Failed, Late int }

// entry is a value; expires is zero when it never does.
type entry struct {
	value   string
	expires time.Time
}

// NewMemory is an empty server whose expiries follow now (nil: time.Now).
func NewMemory(now func() time.Time) *Memory {
	if now == nil {
		now = time.Now
	}
	return &Memory{now: now, starts: 1, data: map[string]entry{}}
}

// NewOpen is a server that keeps the epoch and nothing else: it grants whatever is asked, at once and to
// everybody. For a measurement of what claims cost.
func NewOpen() *Memory {
	m := NewMemory(nil)
	m.all = true
	return m
}

// SetDown makes every call fail until it is called with false. Nothing is lost by it.
func (m *Memory) SetDown(down bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down = down
}

// Calls says what was asked so far.
func (m *Memory) Calls() Calls {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.calls
}

// Empty loses everything, as FLUSHALL does: the process stays the same. It says how many keys that was.
func (m *Memory) Empty() (lost int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	lost = len(m.data)
	clear(m.data)
	return lost
}

// Snapshot is what a replica holds that has received everything so far.
func (m *Memory) Snapshot() map[string]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := make(map[string]string, len(m.data))
	for k, e := range m.data {
		s[k] = e.value
	}
	return s
}

// Failover puts another process in this one's place, which holds what a replica had: a former
// Snapshot, so that writes since then are lost, or nil after a restart without data. It says whether any were.
func (m *Memory) Failover(replica map[string]string) (lost bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.starts++
	old := maps.Clone(m.data)
	clear(m.data)
	same := 0
	for k, v := range replica {
		m.data[k] = entry{value: v, expires: old[k].expires}
		if e, ok := old[k]; ok && e.value == v {
			same++
		}
	}
	return same < len(old) || same < len(replica)
}

var errMemoryDown = errors.New("admission: the memory server is down")

// lock begins a script. The caller unlocks when the error is nil.
func (m *Memory) lock() error {
	m.mu.Lock()
	m.calls.All++
	if m.down {
		m.calls.Failed++
		m.mu.Unlock()
		return errMemoryDown
	}
	return nil
}

func (m *Memory) server() string { return fmt.Sprintf("memory%d/0", m.starts) }

func (m *Memory) get(key string) (string, bool) {
	e, ok := m.data[key]
	if !ok || (!e.expires.IsZero() && !m.now().Before(e.expires)) {
		return "", false
	}
	return e.value, true
}

// set keeps copies: keys and values point into arenas that are used again.
func (m *Memory) set(key, value string) {
	m.data[string([]byte(key))] = entry{value: string([]byte(value))}
}

// setShares sets one field of a hash, as a key of its own that expires by itself.
func (m *Memory) setShares(key, ids string) {
	if ids == "" {
		delete(m.data, key)
		return
	}
	e := entry{value: string([]byte(ids)), expires: m.now().Add(bucketExpiryMS * time.Millisecond)}
	m.data[string([]byte(key))] = e
}
