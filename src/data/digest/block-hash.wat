;; XXH64 (Collet, xxHash specification 0.1.1) of many rows with one call. Assembled into `block-hash.ts`, which says how it is used; a test
;; holds the two together.
;;
;; Memory: 0 sum of the hashes of rows, 8 sum of the hashes of keys, from 16 on whatever the caller puts there.
(module
  (memory (export "memory") 24)

  ;; State of a value that comes in parts.
  (global $a (mut i64) (i64.const 0))
  (global $b (mut i64) (i64.const 0))
  (global $c (mut i64) (i64.const 0))
  (global $d (mut i64) (i64.const 0))

  (func $round (param $sum i64) (param $lane i64) (result i64)
    (i64.mul
      (i64.rotl
        (i64.add (local.get $sum) (i64.mul (local.get $lane) (i64.const 0xC2B2AE3D27D4EB4F)))
        (i64.const 31))
      (i64.const 0x9E3779B185EBCA87)))

  (func $merge (param $hash i64) (param $sum i64) (result i64)
    (i64.add
      (i64.mul
        (i64.xor (local.get $hash) (call $round (i64.const 0) (local.get $sum)))
        (i64.const 0x9E3779B185EBCA87))
      (i64.const 0x85EBCA77C2B2AE63)))

  (func $begin (export "begin") (param $seed i64)
    (global.set $a (i64.add (local.get $seed) (i64.const 0x60EA27EEADC0B5D6)))
    (global.set $b (i64.add (local.get $seed) (i64.const 0xC2B2AE3D27D4EB4F)))
    (global.set $c (local.get $seed))
    (global.set $d (i64.sub (local.get $seed) (i64.const 0x9E3779B185EBCA87))))

  ;; `length` is a multiple of 32.
  (func $stripes (export "stripes") (param $at i32) (param $length i32)
    (local $a i64) (local $b i64) (local $c i64) (local $d i64) (local $end i32)
    (local.set $a (global.get $a))
    (local.set $b (global.get $b))
    (local.set $c (global.get $c))
    (local.set $d (global.get $d))
    (local.set $end (i32.add (local.get $at) (local.get $length)))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $a (call $round (local.get $a) (i64.load align=1 (local.get $at))))
        (local.set $b (call $round (local.get $b) (i64.load offset=8 align=1 (local.get $at))))
        (local.set $c (call $round (local.get $c) (i64.load offset=16 align=1 (local.get $at))))
        (local.set $d (call $round (local.get $d) (i64.load offset=24 align=1 (local.get $at))))
        (local.set $at (i32.add (local.get $at) (i32.const 32)))
        (br $next)))
    (global.set $a (local.get $a))
    (global.set $b (local.get $b))
    (global.set $c (local.get $c))
    (global.set $d (local.get $d)))

  ;; What is left behind the stripes, of fewer than 32 bytes, of `total` bytes altogether.
  (func $end (export "end") (param $at i32) (param $length i32) (param $total i64) (param $seed i64) (result i64)
    (local $hash i64) (local $end i32)
    (if (i64.ge_u (local.get $total) (i64.const 32))
      (then
        (local.set $hash
          (i64.add
            (i64.add (i64.rotl (global.get $a) (i64.const 1)) (i64.rotl (global.get $b) (i64.const 7)))
            (i64.add (i64.rotl (global.get $c) (i64.const 12)) (i64.rotl (global.get $d) (i64.const 18)))))
        (local.set $hash (call $merge (local.get $hash) (global.get $a)))
        (local.set $hash (call $merge (local.get $hash) (global.get $b)))
        (local.set $hash (call $merge (local.get $hash) (global.get $c)))
        (local.set $hash (call $merge (local.get $hash) (global.get $d))))
      (else
        (local.set $hash (i64.add (local.get $seed) (i64.const 0x27D4EB2F165667C5)))))
    (local.set $hash (i64.add (local.get $hash) (local.get $total)))
    (local.set $end (i32.add (local.get $at) (local.get $length)))
    (block $short
      (loop $eight
        (br_if $short (i32.gt_u (i32.add (local.get $at) (i32.const 8)) (local.get $end)))
        (local.set $hash
          (i64.add
            (i64.mul
              (i64.rotl
                (i64.xor (local.get $hash) (call $round (i64.const 0) (i64.load align=1 (local.get $at))))
                (i64.const 27))
              (i64.const 0x9E3779B185EBCA87))
            (i64.const 0x85EBCA77C2B2AE63)))
        (local.set $at (i32.add (local.get $at) (i32.const 8)))
        (br $eight)))
    (if (i32.le_u (i32.add (local.get $at) (i32.const 4)) (local.get $end))
      (then
        (local.set $hash
          (i64.add
            (i64.mul
              (i64.rotl
                (i64.xor
                  (local.get $hash)
                  (i64.mul (i64.load32_u align=1 (local.get $at)) (i64.const 0x9E3779B185EBCA87)))
                (i64.const 23))
              (i64.const 0xC2B2AE3D27D4EB4F))
            (i64.const 0x165667B19E3779F9)))
        (local.set $at (i32.add (local.get $at) (i32.const 4)))))
    (block $none
      (loop $one
        (br_if $none (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $hash
          (i64.mul
            (i64.rotl
              (i64.xor
                (local.get $hash)
                (i64.mul (i64.load8_u (local.get $at)) (i64.const 0x27D4EB2F165667C5)))
              (i64.const 11))
            (i64.const 0x9E3779B185EBCA87)))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $one)))
    (local.set $hash
      (i64.mul
        (i64.xor (local.get $hash) (i64.shr_u (local.get $hash) (i64.const 33)))
        (i64.const 0xC2B2AE3D27D4EB4F)))
    (local.set $hash
      (i64.mul
        (i64.xor (local.get $hash) (i64.shr_u (local.get $hash) (i64.const 29)))
        (i64.const 0x165667B19E3779F9)))
    (i64.xor (local.get $hash) (i64.shr_u (local.get $hash) (i64.const 32))))

  (func $hash (export "hash") (param $at i32) (param $length i32) (param $seed i64) (result i64)
    (local $whole i32)
    (local.set $whole (i32.and (local.get $length) (i32.const -32)))
    (if (local.get $whole)
      (then
        (call $begin (local.get $seed))
        (call $stripes (local.get $at) (local.get $whole))))
    (call $end
      (i32.add (local.get $at) (local.get $whole))
      (i32.sub (local.get $length) (local.get $whole))
      (i64.extend_i32_u (local.get $length))
      (local.get $seed)))

  ;; Adds `count` rows to the sums. `ends`: for each where its key ends, counted from `keys`, then where its value ends, counted from
  ;; `values`. The first key begins at `key`, the first value at `value`, counted likewise.
  (func (export "sum")
    (param $keys i32) (param $values i32) (param $ends i32) (param $count i32) (param $key i32) (param $value i32) (param $seed i64)
    (local $last i32) (local $keyEnd i32) (local $valueEnd i32) (local $hash i64)
    (local.set $last (i32.add (local.get $ends) (i32.shl (local.get $count) (i32.const 3))))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $ends) (local.get $last)))
        (local.set $keyEnd (i32.load (local.get $ends)))
        (local.set $valueEnd (i32.load offset=4 (local.get $ends)))
        (local.set $hash
          (call $hash
            (i32.add (local.get $keys) (local.get $key))
            (i32.sub (local.get $keyEnd) (local.get $key))
            (local.get $seed)))
        (i64.store offset=8 (i32.const 0) (i64.add (i64.load offset=8 (i32.const 0)) (local.get $hash)))
        (i64.store (i32.const 0)
          (i64.add
            (i64.load (i32.const 0))
            (call $hash
              (i32.add (local.get $values) (local.get $value))
              (i32.sub (local.get $valueEnd) (local.get $value))
              (local.get $hash))))
        (local.set $key (local.get $keyEnd))
        (local.set $value (local.get $valueEnd))
        (local.set $ends (i32.add (local.get $ends) (i32.const 8)))
        (br $next)))))
