//! Logarithm and exponential that give the same bits on every machine.
//!
//! A verdict is replayed from the ledger, perhaps years later and elsewhere, and
//! must come out bit for bit. The functions of `std` call the system's library,
//! whose last bit differs between systems. These use only `+ - * /` and bit
//! patterns, which IEEE 754 fixes; constants and method are those of fdlibm
//! (`e_log.c`, `e_exp.c`, Sun 1993), with an error below one unit in the last place.

const LN_2_HIGH: f64 = 6.931_471_803_691_238e-1;
const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;
/// Beyond these the exponential is infinite, or 0.
const EXP_MOST: f64 = 709.782_712_893_384;
const EXP_LEAST: f64 = -745.133_219_101_941_1;
/// `2^54`, which lifts numbers too small for their exponent.
const LIFT: f64 = 18_014_398_509_481_984.0;

/// The natural logarithm; negative infinity at 0, NaN below.
pub(super) fn ln(x: f64) -> f64 {
    if x.is_nan() || x < 0.0 {
        return f64::NAN;
    }
    if x == 0.0 {
        return f64::NEG_INFINITY;
    }
    if x.is_infinite() {
        return x;
    }
    let (x, lifted) = if x < f64::MIN_POSITIVE {
        (x * LIFT, -54)
    } else {
        (x, 0)
    };
    // x = 2^k m with m between sqrt(1/2) and sqrt(2).
    let bits = x.to_bits() + (0x3ff0_0000_0000_0000 - 0x3fe6_a09e_0000_0000);
    let k = (bits >> 52) as i64 - 1023 + lifted;
    let m = f64::from_bits((bits & 0x000f_ffff_ffff_ffff) + 0x3fe6_a09e_0000_0000);
    let (f, k) = (m - 1.0, k as f64);
    let s = f / (2.0 + f);
    let z = s * s;
    let w = z * z;
    let even = w
        * (3.999_999_999_940_942e-1
            + w * (2.222_219_843_214_978_4e-1 + w * 1.531_383_769_920_937_3e-1));
    let odd = z
        * (6.666_666_666_666_735e-1
            + w * (2.857_142_874_366_239e-1
                + w * (1.818_357_216_161_805e-1 + w * 1.479_819_860_511_658_6e-1)));
    let half = 0.5 * f * f;
    k * LN_2_HIGH - ((half - (s * (half + odd + even) + k * LN_2_LOW)) - f)
}

/// `e^x`; 0 and infinity where the result would be too small or too large.
pub(super) fn exp(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    if x > EXP_MOST {
        return f64::INFINITY;
    }
    if x < EXP_LEAST {
        return 0.0;
    }
    let k = (x * std::f64::consts::LOG2_E).round();
    let (high, low) = (x - k * LN_2_HIGH, k * LN_2_LOW);
    let r = high - low;
    let t = r * r;
    let c = r - t
        * (1.666_666_666_666_660_2e-1
            + t * (-2.777_777_777_701_559_3e-3
                + t * (6.613_756_321_437_934e-5
                    + t * (-1.653_390_220_546_525_2e-6 + t * 4.138_136_797_057_238_5e-8))));
    let y = 1.0 - ((low - (r * c) / (2.0 - c)) - high);
    // In two steps, so that neither factor leaves the range of exponents.
    let half = (k as i64) / 2;
    y * power_of_two(half) * power_of_two(k as i64 - half)
}

fn power_of_two(k: i64) -> f64 {
    f64::from_bits(((k + 1023) as u64) << 52)
}

/// `ln(e^a + e^b)` without overflow.
pub(super) fn log_add(a: f64, b: f64) -> f64 {
    let (most, least) = if a > b { (a, b) } else { (b, a) };
    if most == f64::NEG_INFINITY {
        return most;
    }
    most + ln(1.0 + exp(least - most))
}

/// `ln` of the sum of `e^x`; negative infinity for nothing.
pub(super) fn log_sum(logs: impl Iterator<Item = f64> + Clone) -> f64 {
    let most = logs.clone().fold(f64::NEG_INFINITY, f64::max);
    if most == f64::NEG_INFINITY {
        return most;
    }
    most + ln(logs.map(|log| exp(log - most)).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(ours: f64, theirs: f64) -> bool {
        (ours - theirs).abs() <= 4.0 * f64::EPSILON * theirs.abs().max(f64::MIN_POSITIVE)
    }

    #[test]
    fn they_agree_with_those_of_the_system() {
        let mut x = 1e-320;
        while x < 1e300 {
            assert!(
                close(ln(x), x.ln()) || (ln(x) - x.ln()).abs() < 1e-15,
                "ln {x}"
            );
            x *= 1.37;
        }
        let mut x = -740.0;
        while x < 709.7 {
            assert!(close(exp(x), x.exp()), "exp {x}: {} {}", exp(x), x.exp());
            x += 0.173;
        }
    }

    #[test]
    fn the_bits_are_these() {
        // Recorded once; another machine must give the same.
        let bits: Vec<u64> = [0.1, 0.7, 1.3, 20.0, 1e-9, 12_345.678]
            .iter()
            .flat_map(|x| [ln(*x).to_bits(), exp(-*x / 100.0).to_bits()])
            .collect();
        let digest = bits.iter().fold(0_u64, |all, bits| {
            all.rotate_left(7) ^ bits.wrapping_mul(0x9e37_79b9_7f4a_7c15)
        });
        assert_eq!(digest, GOLDEN, "{bits:x?}");
    }

    const GOLDEN: u64 = 16_476_108_964_811_902_220;

    #[test]
    fn ends_and_nonsense() {
        assert_eq!((exp(0.0), ln(1.0)), (1.0, 0.0));
        assert_eq!((exp(800.0), exp(-800.0)), (f64::INFINITY, 0.0));
        assert_eq!(
            (ln(0.0), ln(f64::INFINITY)),
            (f64::NEG_INFINITY, f64::INFINITY)
        );
        assert!(ln(-1.0).is_nan() && exp(f64::NAN).is_nan());
        assert_eq!(log_sum(std::iter::empty()), f64::NEG_INFINITY);
        assert_eq!(log_add(f64::NEG_INFINITY, 1.0), 1.0);
        assert!(close(log_add(0.0, 0.0), 2f64.ln()));
        assert!(close(
            log_sum([900.0, 900.0].into_iter()),
            900.0 + 2f64.ln()
        ));
    }
}
