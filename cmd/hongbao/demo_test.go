package main

import (
	"testing"
)

// TestDemoHasItsOwnParts: what environment or file say of a Kafka, a Redis and campaigns elsewhere is none of the demo's; the names under which other
// commands look for it, and the keys of codes, are as given.
func TestDemoHasItsOwnParts(t *testing.T) {
	t.Parallel()
	c := defaultConfig("host-1")
	c.KafkaTLS, c.KafkaSASL, c.KafkaSASLUser, c.KafkaSASLPassword, c.RedisTLS, c.RedisPassword = true, saslPlain, "u", "p", true, "p"
	c.Campaigns, c.IssueRate, c.Partitions = []string{"missing.yaml"}, 1, 3
	c.Prefix, c.CodeKeys = "mine.", "keys.yaml"
	d := onParts(&c, []string{"127.0.0.1:1"}, "127.0.0.1:2", "data")
	want := defaultConfig("host-1")
	want.Brokers, want.Redis, want.Data = []string{"127.0.0.1:1"}, "127.0.0.1:2", "data"
	want.Prefix, want.CodeKeys = "mine.", "keys.yaml"
	for _, s := range settings() {
		if got, want := s.text(&d), s.text(&want); got != want {
			t.Errorf("%s is %q, want %q", s.key, got, want)
		}
	}
}
