package spool

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"strconv"
	"time"
)

// checksum uses the polynomial that processors compute by themselves.
func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// crcDigits is how long a checksum is in a line.
const crcDigits = 8

// appendLine adds a record as a line.
func appendLine(to []byte, r Record) []byte {
	begin := len(to)
	to = append(to, "00000000 "...)
	to = strconv.AppendInt(to, r.At.UnixMilli(), 10)
	to = append(to, ' ')
	to = append(to, r.Data...)
	copy(to[begin:], fmt.Appendf(nil, "%08x", checksum(to[begin+crcDigits+1:])))
	return append(to, '\n')
}

// parseLine reads a line, which still has its line break. It returns false for
// one that is not as it was written.
func parseLine(line []byte) (Record, bool) {
	line, whole := bytes.CutSuffix(line, []byte{'\n'})
	if !whole || len(line) <= crcDigits || line[crcDigits] != ' ' {
		return Record{}, false
	}
	rest := line[crcDigits+1:]
	sum, err := strconv.ParseUint(string(line[:crcDigits]), 16, 32)
	if err != nil || uint32(sum) != checksum(rest) {
		return Record{}, false
	}
	at, data, found := bytes.Cut(rest, []byte{' '})
	millis, err := strconv.ParseInt(string(at), 10, 64)
	if !found || err != nil {
		return Record{}, false
	}
	return Record{At: time.UnixMilli(millis).UTC(), Data: bytes.Clone(data)}, true
}
