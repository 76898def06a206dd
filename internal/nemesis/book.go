package nemesis

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"
)

// book is an append-only file of JSON lines, each of which is on the disk when
// write returns. It is safe for concurrent use.
type book struct {
	mu   sync.Mutex
	file *os.File
}

func openBook(path string) (*book, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	return &book{file: file}, nil
}

func (b *book) write(line any) error {
	data, err := json.Marshal(line)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, err := b.file.Write(append(data, '\n')); err != nil {
		return err
	}
	return b.file.Sync()
}

func (b *book) close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.file.Close()
}

// readLines reads a book. A last line without its end never happened.
func readLines[T any](path string) ([]T, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	data = data[:bytes.LastIndexByte(data, '\n')+1]
	var lines []T
	scanner := bufio.NewScanner(bytes.NewReader(data))
	scanner.Buffer(nil, 4<<20)
	for scanner.Scan() {
		var line T
		if err := json.Unmarshal(scanner.Bytes(), &line); err != nil {
			return nil, fmt.Errorf("line %d of %s: %w", len(lines)+1, path, err)
		}
		lines = append(lines, line)
	}
	return lines, scanner.Err()
}

// happening is a line of the nemesis's own book: what it did to the world.
type happening struct {
	At   time.Time      `json:"at"`
	What string         `json:"what"`
	More map[string]any `json:"more,omitempty"`
}
