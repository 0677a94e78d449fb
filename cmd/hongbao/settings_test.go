package main

import (
	"reflect"
	"strings"
	"testing"
)

// Invariant 2: every field has a key and a meaning, and what a default shows as text is
// read back as the same value.
func TestEverySettingIsComplete(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	defaults, back := defaultConfig("host-1"), Config{}
	for _, s := range settings() {
		if s.key == "" || strings.HasSuffix(s.key, ".") || s.help == "" {
			t.Errorf("field %v of Config lacks a koanf or a help tag", s.index)
		}
		for _, name := range []string{s.env, "--" + s.flag} {
			if other, taken := seen[name]; taken {
				t.Errorf("%s stands for both %s and %s", name, other, s.key)
			}
			seen[name] = s.key
		}
		if strings.Contains(s.key, "password") != s.secret {
			t.Errorf("%s: a password is a secret, and nothing else is tagged so", s.key)
		}
		if text := s.text(&defaults); text != "" {
			if err := s.assign(&back, text); err != nil {
				t.Errorf("%s: its default %q is refused: %v", s.key, text, err)
			}
		}
	}
	if !reflect.DeepEqual(defaults, back) {
		t.Errorf("defaults read back from their text:\n got %+v\nwant %+v", back, defaults)
	}
}

func TestDefaultsAreValid(t *testing.T) {
	t.Parallel()
	cfg := defaultConfig("host-1")
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
}

func TestNamesUnderPrefix(t *testing.T) {
	t.Parallel()
	for prefix, want := range map[string][2]string{
		"":        {"hongbao", "hongbao"},
		"bench1.": {"bench1.hongbao", "bench1."},
	} {
		cfg := defaultConfig("host-1")
		cfg.Prefix = prefix
		if got := [2]string{cfg.GroupID(), cfg.RedisTag()}; got != want {
			t.Errorf("prefix %q: group and Redis tag are %q, want %q", prefix, got, want)
		}
	}
}

func TestDevMode(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		dev     bool
		brokers []string
		want    bool
	}{
		"loopback":            {false, []string{"127.0.0.1:9092", "[::1]:9092", "localhost:9092"}, true},
		"one is elsewhere":    {false, []string{"127.0.0.1:9092", "10.0.0.1:9092"}, false},
		"a name":              {false, []string{"kafka:9092"}, false},
		"asked for":           {true, []string{"kafka:9092"}, true},
		"looks like loopback": {false, []string{"127.0.0.1.example.com:9092"}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := defaultConfig("host-1")
			cfg.Dev, cfg.Brokers = test.dev, test.brokers
			if got := cfg.DevMode(); got != test.want {
				t.Errorf("got %t, want %t", got, test.want)
			}
		})
	}
}
