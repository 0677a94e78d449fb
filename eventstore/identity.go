package eventstore

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"hongbao/internal/crashpoint"
)

const (
	lockFile  = "LOCK"
	ownerFile = "OWNER"
	storeFile = "STORE"

	storeIDBytes = 16
)

// identity is what a data directory is: born with it, never changed.
type identity struct {
	ID         string // 32 hex digits; part of transactional ids (X1)
	Partitions int32
}

// encode is the STORE file: one line, four words.
func (id identity) encode() []byte {
	return fmt.Appendf(nil, "hongbao-store %d %s %d\n", formatVersion, id.ID, id.Partitions)
}

func parseIdentity(text []byte) (identity, error) {
	words := strings.Fields(string(text))
	if len(words) < 2 || words[0] != "hongbao-store" {
		return identity{}, fmt.Errorf("file %s %.40q does not begin with hongbao-store and a format number: %w", storeFile, text, ErrRefused)
	}
	if words[1] != strconv.Itoa(formatVersion) {
		return identity{}, fmt.Errorf("data directory has format %.20q, this program writes format %d: use the program that wrote it, or an empty directory: %w",
			words[1], formatVersion, ErrRefused)
	}
	if len(words) != 4 {
		return identity{}, fmt.Errorf("file %s has %d words, want 4: %w", storeFile, len(words), ErrRefused)
	}
	raw, err := hex.DecodeString(words[2])
	if err != nil || len(raw) != storeIDBytes || hex.EncodeToString(raw) != words[2] {
		return identity{}, fmt.Errorf("file %s: store id %.40q is not %d bytes in lower-case hex: %w", storeFile, words[2], storeIDBytes, ErrRefused)
	}
	n, err := strconv.ParseInt(words[3], 10, 32)
	if err != nil || n < 1 || n > partitionsMax || strconv.FormatInt(n, 10) != words[3] {
		return identity{}, fmt.Errorf("file %s: %.20q partitions, want 1 to %d: %w", storeFile, words[3], partitionsMax, ErrRefused)
	}
	return identity{ID: words[2], Partitions: int32(n)}, nil
}

// claimIdentity reads the STORE file, or writes it for a new data directory. It must hold the lock.
func claimIdentity(fs vfs.FS, cfg *Config, names []string) (identity, error) {
	path := fs.PathJoin(cfg.Dir, storeFile)
	text, err := readSmall(fs, path)
	if errors.Is(err, os.ErrNotExist) {
		return newIdentity(fs, cfg, names)
	}
	if err != nil {
		return identity{}, fmt.Errorf("eventstore: read %s: %w", path, err)
	}
	id, err := parseIdentity(text)
	if err != nil {
		return id, fmt.Errorf("eventstore: %s: %w", path, err)
	}
	if cfg.Partitions != 0 && id.Partitions != cfg.Partitions {
		return id, fmt.Errorf("eventstore: %s was made for %d partitions, the topics have %d: a chain would change its partition. "+
			"Start with %d partitions, or with an empty data directory and topics made for %d: %w",
			cfg.Dir, id.Partitions, cfg.Partitions, id.Partitions, cfg.Partitions, ErrRefused)
	}
	return id, nil
}

func newIdentity(fs vfs.FS, cfg *Config, names []string) (identity, error) {
	if cfg.Partitions == 0 {
		return identity{}, fmt.Errorf("eventstore: %s is no data directory: it has no file %s: %w", cfg.Dir, storeFile, ErrRefused)
	}
	for _, name := range names {
		if isPartitionDir(name) {
			// STORE is written before the first partition directory, so somebody took it away: the partition count is unknown.
			return identity{}, fmt.Errorf("eventstore: %s has the partition directory %s but no file %s: restore the file or remove the directory, "+
				"its state is folded again from facts: %w", cfg.Dir, name, storeFile, ErrRefused)
		}
	}
	raw := make([]byte, storeIDBytes)
	if _, err := io.ReadFull(cfg.Random, raw); err != nil {
		return identity{}, fmt.Errorf("eventstore: draw a store id: %w", err)
	}
	id := identity{ID: hex.EncodeToString(raw), Partitions: cfg.Partitions}
	crashpoint.Hit("store.identity.before")
	if err := writeSmall(fs, cfg.Dir, storeFile, id.encode()); err != nil {
		return id, fmt.Errorf("eventstore: write %s: %w", storeFile, err)
	}
	crashpoint.Hit("store.identity.after")
	return id, nil
}

// lockDir takes the data directory, or says who has it.
func lockDir(fs vfs.FS, dir string) (io.Closer, error) {
	owner := fs.PathJoin(dir, ownerFile)
	lock, err := fs.Lock(fs.PathJoin(dir, lockFile))
	if _, made := errors.AsType[*os.PathError](err); made { // the lock file cannot be made: nobody holds it
		return nil, fmt.Errorf("eventstore: lock the data directory: %w", err)
	}
	if err != nil {
		who := "an unnamed process"
		if text, rerr := readSmall(fs, owner); rerr == nil && len(text) > 0 {
			who = strings.TrimSpace(string(text))
		}
		return nil, fmt.Errorf("%w: %s is in use by %s; one process at a time: stop it, ask it through its admin API, or use another --data (%w)",
			ErrLocked, dir, who, err)
	}
	host, herr := os.Hostname()
	if herr != nil {
		host = "unknown"
	}
	// A lock file must stay empty (vfs.FS.Lock), so the name of its holder lies beside it: a help for people, without effect.
	text := fmt.Appendf(nil, "process %d on host %s\n", os.Getpid(), host)
	if err := writeSmall(fs, dir, ownerFile, text); err != nil {
		return nil, errors.Join(fmt.Errorf("eventstore: write %s: %w", owner, err), lock.Close())
	}
	return lock, nil
}

func readSmall(fs vfs.FS, path string) ([]byte, error) {
	f, err := fs.Open(path)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, identityReadMaxSize))
	return text, errors.Join(err, f.Close())
}

// writeSmall replaces a file as a whole (E5).
func writeSmall(fs vfs.FS, dir, name string, text []byte) error {
	tmp := fs.PathJoin(dir, name+".tmp")
	f, err := fs.Create(tmp, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := fs.Rename(tmp, fs.PathJoin(dir, name)); err != nil {
		return err
	}
	return syncDir(fs, dir)
}

func syncDir(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
