package admission

import (
	"context"
	"strings"

	"hongbao/internal/mutant"
)

// memoryServer is a gate's connection to a Memory.
type memoryServer struct {
	*Memory
	keys keys
}

func (m *memoryServer) close() error { return nil }

// at says whether the server is still the one e was begun on, holding e; whole also compares the marks.
func (m *memoryServer) at(e epoch, whole bool) (sight, bool) {
	raw, _ := m.get(m.keys.epoch)
	s := sight{raw: raw, server: m.server()}
	if s.server != e.server {
		return s, false
	}
	return s, raw == e.raw || (!whole && strings.HasPrefix(raw, e.id()))
}

func (m *memoryServer) begin(_ context.Context, expect, head string, partitions int32) (sight, error) {
	if err := m.lock(); err != nil {
		return sight{}, err
	}
	defer m.mu.Unlock()
	raw, _ := m.get(m.keys.epoch)
	if head != "" && raw == expect {
		raw = head + m.server() + " " + strings.Repeat("0", int(partitions))
		m.set(m.keys.epoch, raw)
	}
	return sight{raw: raw, server: m.server()}, nil
}

func (m *memoryServer) mark(_ context.Context, e epoch, p int32) (sight, error) {
	if err := m.lock(); err != nil {
		return sight{}, err
	}
	defer m.mu.Unlock()
	s, ok := m.at(e, false)
	if ok {
		i := len(e.id()) + int(p)
		s.raw = s.raw[:i] + "1" + s.raw[i+1:]
		m.set(m.keys.epoch, s.raw)
	}
	return s, nil
}

func (m *memoryServer) admit(_ context.Context, e epoch, b *batch) (bool, error) {
	if m.all {
		b.grant()
		return true, nil
	}
	if err := m.lock(); err != nil {
		return false, err
	}
	defer m.mu.Unlock()
	if _, ok := m.at(e, true); !ok {
		return false, nil
	}
	for i := range b.size() {
		o := b.at(i)
		if o.want&WantShare != 0 {
			o.answer.Share = m.share(o, b.limit)
		}
		if o.want&WantClaim == 0 || o.answer.Share == No {
			continue
		}
		o.answer.Claim = Yes
		if h, taken := m.claim(o); taken {
			o.answer.Claim, o.answer.Holder = No, h
			if o.want&WantShare != 0 {
				m.giveBack(o.shareKey+o.field, o.shareID)
			}
		}
	}
	return true, nil
}

func (m *memoryServer) claim(o *op) (Holder, bool) {
	v, ok := m.get(o.claimKey)
	if ok && (len(v) > len(o.value) || v[tagBytes:] != o.value[tagBytes:len(v)]) {
		h, _ := parseHolder(v)
		return h, true
	}
	if !ok || len(v) < len(o.value) {
		m.set(o.claimKey, o.value)
	}
	return Holder{}, false
}

// place is where an id's event stands among ids, -1 when it does not.
func place(ids, id string) int {
	for i := 0; i < len(ids); i += shareIDSize {
		if ids[i:i+eventBytes] == id[:eventBytes] {
			return i
		}
	}
	return -1
}

func (m *memoryServer) share(o *op, limit Limit) Verdict {
	key := o.shareKey + o.field
	ids, _ := m.get(key)
	before, verdict := ids, Yes
	for i := 0; i < len(o.known); i += shareIDSize {
		if k := o.known[i : i+shareIDSize]; place(ids, k) < 0 {
			ids += k
		}
	}
	switch i := place(ids, o.shareID); {
	case i >= 0:
		ids = ids[:i] + o.shareID + ids[i+shareIDSize:]
	case len(ids) < limit.Count*shareIDSize:
		ids += o.shareID
	default:
		verdict = No
	}
	if ids != before {
		m.setShares(key, ids)
	}
	return verdict
}

// giveBack frees the place of an event, if the copy that id names was the last that asked for it.
func (m *memoryServer) giveBack(key, id string) int {
	ids, _ := m.get(key)
	i := place(ids, id)
	if i < 0 || ids[i:i+shareIDSize] != id {
		return 0
	}
	m.setShares(key, ids[:i]+ids[i+shareIDSize:])
	return 1
}

func (m *memoryServer) claims(_ context.Context, e epoch, p *page) (string, bool, error) {
	if err := m.lock(); err != nil {
		return "", false, err
	}
	defer m.mu.Unlock()
	s, ok := m.at(e, false)
	if !ok {
		return "", false, nil
	}
	admits := !strings.Contains(s.raw[len(e.id()):], "0")
	var met []byte
	for i, key := range p.keys {
		v, there := m.get(key)
		mine := p.values[i]
		if there && v[tagBytes:chainEnd] != mine[tagBytes:chainEnd] && (admits || v[:tagBytes] == mine[:tagBytes]) {
			met = append(met, byte(i>>8), byte(i), 'c', byte(len(v))) //nolint:gosec // below claimMax
			met = append(met, v...)
			continue
		}
		m.set(key, mine)
	}
	return string(met), true, nil
}

func (m *memoryServer) shares(_ context.Context, e epoch, p *page) (bool, error) {
	if err := m.lock(); err != nil {
		return false, err
	}
	defer m.mu.Unlock()
	if _, ok := m.at(e, false); !ok {
		return false, nil
	}
	for i, key := range p.keys {
		key, id := key+p.values[i][:shareFields], p.values[i][shareFields:]
		if ids, _ := m.get(key); place(ids, id) < 0 {
			m.setShares(key, ids+id)
		}
	}
	return true, nil
}

func (m *memoryServer) release(_ context.Context, rs []release) (int64, error) {
	if err := m.lock(); err != nil {
		return 0, err
	}
	defer m.mu.Unlock()
	var n int64
	for _, r := range rs {
		if r.share {
			n += int64(m.giveBack(r.key+r.id[:shareFields], r.id[shareFields:]))
			continue
		}
		if v, ok := m.get(r.key); ok && (v[chainEnd:] == r.id || mutant.On(mutant.ClaimOfOthers)) {
			delete(m.data, r.key)
			n++
		}
	}
	return n, nil
}
