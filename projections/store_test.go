package projections

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
)

// memoryStore is a Store for tests. A batch takes effect at commit, as in the event store.
type memoryStore struct {
	values map[string][]byte
	keys   []string // sorted; nil when stale
	broken error    // answers every call
}

func newMemoryStore() *memoryStore { return &memoryStore{values: map[string][]byte{}} }

func (m *memoryStore) Get(space Space, key, dst []byte) ([]byte, bool, error) {
	v, ok := m.values[string(append([]byte{byte(space)}, key...))]
	return append(dst[:0], v...), ok, m.broken
}

func (m *memoryStore) Scan(space Space, prefix []byte, fn func(key, value []byte) error) error {
	if m.broken != nil {
		return m.broken
	}
	if m.keys == nil {
		for k := range m.values {
			m.keys = append(m.keys, k)
		}
		slices.Sort(m.keys)
	}
	low := string(append([]byte{byte(space)}, prefix...))
	for _, k := range m.keys[sort.SearchStrings(m.keys, low):] {
		if !strings.HasPrefix(k, low) {
			return nil
		}
		// A caller that keeps what it was lent is found out.
		key, value := []byte(k[1:]), bytes.Clone(m.values[k])
		err := fn(key, value)
		clear(key)
		clear(value)
		if err != nil {
			return fmt.Errorf("scan: %w", err)
		}
	}
	return nil
}

func (m *memoryStore) clone() *memoryStore {
	c := newMemoryStore()
	maps.Copy(c.values, m.values)
	return c
}

// batch is a Writer.
type batch struct{ ops []func(*memoryStore) }

func (b *batch) Set(space Space, key, value []byte) {
	k, v := string(append([]byte{byte(space)}, key...)), bytes.Clone(value)
	b.ops = append(b.ops, func(m *memoryStore) { m.values[k] = v })
}

func (b *batch) Delete(space Space, key []byte) {
	k := string(append([]byte{byte(space)}, key...))
	b.ops = append(b.ops, func(m *memoryStore) { delete(m.values, k) })
}

func (b *batch) commit(m *memoryStore) {
	for _, op := range b.ops {
		op(m)
	}
	m.keys = nil
}

// flush is what a worker does about once a second.
func flush(s *State, m *memoryStore) error {
	var b batch
	if err := s.Flush(&b); err != nil {
		return err
	}
	b.commit(m)
	return nil
}
