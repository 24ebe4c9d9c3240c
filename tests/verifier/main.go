// SPDX-License-Identifier: Apache-2.0

// reeve-log-verifier checks a log of Reeve from its public files alone, with other people's code: golang.org/x/mod's sumdb/note and
// sumdb/tlog, as Debian packages them.
//
//	reeve-log-verifier DIR [old-checkpoint-file ...]
//
// DIR holds checkpoint, key, tile/... and, maybe, witnessed.  Prints "ok <size>", or what is wrong, and then exits with 1.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	height  = 8
	width   = 1 << height
	sampled = 2000 // records whose proofs are checked, in a log that has more
)

// tiles reads a log's tiles by the names that x/mod gives them: it has the height in them and calls the entries data.
type tiles struct {
	dir    string
	cached map[string][]byte
}

func (t *tiles) Height() int { return height }

func (t *tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func path(t tlog.Tile) string {
	p := strings.TrimPrefix(t.Path(), "tile/8/")
	if strings.HasPrefix(p, "data/") {
		return "tile/entries/" + strings.TrimPrefix(p, "data/")
	}
	return "tile/" + p
}

// read gives the bytes of a tile, of the full one's beginning where the partial one is gone.
func (t *tiles) read(tile tlog.Tile) ([]byte, bool, error) {
	name := path(tile)
	if data, ok := t.cached[name]; ok {
		return data, false, nil
	}
	data, err := os.ReadFile(filepath.Join(t.dir, name))
	whole := false
	if errors.Is(err, fs.ErrNotExist) && tile.W < width {
		full := tile
		full.W = width
		data, err = os.ReadFile(filepath.Join(t.dir, path(full)))
		whole = true
	}
	if err != nil {
		return nil, false, err
	}
	if len(t.cached) > 10000 {
		t.cached = map[string][]byte{}
	}
	if !whole {
		t.cached[name] = data
	}
	return data, whole, nil
}

func (t *tiles) ReadTiles(list []tlog.Tile) ([][]byte, error) {
	var out [][]byte
	for _, tile := range list {
		data, whole, err := t.read(tile)
		if err != nil {
			return nil, err
		}
		if whole && len(data) == width*tlog.HashSize {
			data = data[:tile.W*tlog.HashSize]
		}
		if len(data) != tile.W*tlog.HashSize {
			return nil, fmt.Errorf("%s has %d bytes", path(tile), len(data))
		}
		out = append(out, data)
	}
	return out, nil
}

// head opens a checkpoint and returns the tree that it signs.
func head(file string, v note.Verifier) (tlog.Tree, error) {
	var tree tlog.Tree
	data, err := os.ReadFile(file)
	if err != nil {
		return tree, err
	}
	n, err := note.Open(data, note.VerifierList(v))
	if err != nil {
		return tree, fmt.Errorf("%s: %v", file, err)
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) < 4 || lines[0] != v.Name() {
		return tree, fmt.Errorf("%s is not a checkpoint of %s", file, v.Name())
	}
	if tree.N, err = strconv.ParseInt(lines[1], 10, 64); err != nil || tree.N < 0 || strconv.FormatInt(tree.N, 10) != lines[1] {
		return tree, fmt.Errorf("%s: %q is not a size", file, lines[1])
	}
	tree.Hash, err = tlog.ParseHash(lines[2])
	return tree, err
}

// bundle splits the bytes of a bundle into its n entries.
func bundle(data []byte, n int, whole bool) ([][]byte, error) {
	var out [][]byte
	for len(out) < n {
		if len(data) < 2 || len(data)-2 < int(binary.BigEndian.Uint16(data)) {
			return nil, fmt.Errorf("it ends after %d entries", len(out))
		}
		size := int(binary.BigEndian.Uint16(data))
		if size != 33 || data[2] != 1 {
			return nil, fmt.Errorf("entry %d of it is not 0x01 and a commitment", len(out))
		}
		out = append(out, data[2:2+size])
		data = data[2+size:]
	}
	if len(data) > 0 && !whole {
		return nil, fmt.Errorf("%d bytes follow its entries", len(data))
	}
	return out, nil
}

func checkBundles(t *tiles, tree tlog.Tree, r tlog.HashReader) error {
	for at := int64(0); at < tree.N; at += width {
		tile := tlog.Tile{H: height, L: -1, N: at / width, W: width}
		if tree.N-at < width {
			tile.W = int(tree.N - at)
		}
		data, whole, err := t.read(tile)
		if err != nil {
			return err
		}
		entries, err := bundle(data, tile.W, whole)
		if err != nil {
			return fmt.Errorf("%s: %v", path(tile), err)
		}
		var indexes []int64
		for i := range entries {
			indexes = append(indexes, tlog.StoredHashIndex(0, at+int64(i)))
		}
		hashes, err := r.ReadHashes(indexes)
		if err != nil {
			return err
		}
		for i, entry := range entries {
			if tlog.RecordHash(entry) != hashes[i] {
				return fmt.Errorf("%s: entry %d is not the one in the tree", path(tile), at+int64(i))
			}
		}
	}
	return nil
}

func checkTiles(t *tiles, tree tlog.Tree, r tlog.HashReader) error {
	list := tlog.NewTiles(height, 0, tree.N)
	for i, tile := range list {
		// It lists every partial tile that there ever was; the last one of each place is served.
		if next := i + 1; next < len(list) && list[next].L == tile.L && list[next].N == tile.N {
			continue
		}
		want, err := tlog.ReadTileData(tile, r)
		if err != nil {
			return err
		}
		got, err := t.ReadTiles([]tlog.Tile{tile})
		if err != nil {
			return err
		}
		if !bytes.Equal(got[0], want) {
			return fmt.Errorf("%s is not what its tree makes it", path(tile))
		}
	}
	return nil
}

func checkRecords(tree tlog.Tree, r tlog.HashReader) error {
	step := tree.N/sampled + 1
	for i := int64(0); i < tree.N; i++ {
		if i%step != 0 && i != tree.N-1 {
			continue
		}
		hashes, err := r.ReadHashes([]int64{tlog.StoredHashIndex(0, i)})
		if err != nil {
			return err
		}
		proof, err := tlog.ProveRecord(tree.N, i, r)
		if err != nil {
			return err
		}
		if err := tlog.CheckRecord(proof, tree.N, tree.Hash, i, hashes[0]); err != nil {
			return fmt.Errorf("entry %d: %v", i, err)
		}
	}
	return nil
}

// continues says whether the log is the one that had another head before.
func continues(tree, old tlog.Tree, r tlog.HashReader) error {
	if old.N == 0 {
		return nil
	}
	if old.N > tree.N {
		return fmt.Errorf("the log had %d entries, and has %d", old.N, tree.N)
	}
	proof, err := tlog.ProveTree(tree.N, old.N, r)
	if err != nil {
		return err
	}
	return tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash)
}

func verify(dir string, olds []string) (int64, error) {
	key, err := os.ReadFile(filepath.Join(dir, "key"))
	if err != nil {
		return 0, err
	}
	v, err := note.NewVerifier(strings.TrimSuffix(string(key), "\n"))
	if err != nil {
		return 0, fmt.Errorf("key: %v", err)
	}
	tree, err := head(filepath.Join(dir, "checkpoint"), v)
	if err != nil {
		return 0, err
	}
	if tree.N == 0 && tree.Hash != tlog.Hash(sha256.Sum256(nil)) { // x/mod's own root of an empty tree is another
		return 0, errors.New("the checkpoint of the empty log has another root")
	}
	t := &tiles{dir: dir, cached: map[string][]byte{}}
	r := tlog.TileHashReader(tree, t)
	if tree.N > 0 {
		for _, check := range []func() error{
			func() error { return checkTiles(t, tree, r) },
			func() error { return checkBundles(t, tree, r) },
			func() error { return checkRecords(tree, r) },
		} {
			if err := check(); err != nil {
				return 0, err
			}
		}
	}
	if witnessed := filepath.Join(dir, "witnessed"); fileExists(witnessed) {
		olds = append(olds, witnessed)
	}
	for _, file := range olds {
		old, err := head(file, v)
		if err == nil {
			err = continues(tree, old, r)
		}
		if err != nil {
			return 0, fmt.Errorf("%s: %v", file, err)
		}
	}
	return tree.N, nil
}

func fileExists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: reeve-log-verifier DIR [old-checkpoint-file ...]")
		os.Exit(64)
	}
	size, err := verify(os.Args[1], os.Args[2:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "reeve-log-verifier:", err)
		os.Exit(1)
	}
	fmt.Println("ok", size)
}
