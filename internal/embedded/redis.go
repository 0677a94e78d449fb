package embedded

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
)

// redis is a miniredis that passes for a Redis in what X10 needs: it has a run id, by which a Redis is known
// to be another one than before. Its keys do not expire as time goes by: hongbao's live a day, and miniredis's
// own clock sorts all keys at every command.
type redis struct {
	mini *miniredis.Miniredis
	addr string
}

func startRedis(listen string) (*redis, error) {
	var id [20]byte
	if _, err := rand.Read(id[:]); err != nil {
		return nil, fmt.Errorf("embedded: make a run id for Redis: %w", err)
	}
	mini := miniredis.NewMiniRedis()
	if err := mini.StartAddr(listen); err != nil {
		return nil, fmt.Errorf("embedded: start Redis on %s: %w", listen, err)
	}
	mini.Server().SetPreHook(answerInfoServer(hex.EncodeToString(id[:])))
	return &redis{mini: mini, addr: mini.Addr()}, nil
}

// answerInfoServer answers INFO server, a section that miniredis refuses.
func answerInfoServer(runID string) server.Hook {
	section := "# Server\r\nredis_version:7.4.0\r\nredis_mode:standalone\r\nrun_id:" + runID + "\r\n"
	return func(peer *server.Peer, cmd string, args ...string) bool {
		if !strings.EqualFold(cmd, "INFO") || len(args) != 1 || !strings.EqualFold(args[0], "server") {
			return false
		}
		peer.WriteBulk(section)
		return true
	}
}

func (r *redis) close() { r.mini.Close() }
