package admission

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// A slow server has done what it answers late; nobody waits longer than a client of Redis does.
func TestMemorySlow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory(nil)
		s := &slowServer{&memoryServer{Memory: m, keys: newKeys("slow")}, m}
		m.SetSlow(time.Second)
		began := time.Now()
		first, err := s.begin(t.Context(), "", "1 a ", testPartitions)
		if err != nil || first.raw == "" || time.Since(began) != time.Second {
			t.Errorf("%+v, %v after %s, want an answer after 1 s", first, err, time.Since(began))
		}
		m.SetSlow(time.Minute)
		began = time.Now()
		if _, err := s.begin(t.Context(), first.raw, "2 b ", testPartitions); !errors.Is(err, errMemorySlow) || time.Since(began) != readTimeout {
			t.Errorf("%v after %s, want no answer within %s", err, time.Since(began), readTimeout)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := s.begin(ctx, "", "", 0); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, want the caller's own end", err)
		}
		m.SetSlow(0)
		if now, err := s.begin(t.Context(), "", "", 0); err != nil || now.raw == first.raw {
			t.Errorf("%+v, %v: what was asked for without an answer was done", now, err)
		}
	})
}
