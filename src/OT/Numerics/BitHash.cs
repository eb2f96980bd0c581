using System.Numerics;
using System.Runtime.InteropServices;

namespace OT.Numerics;

/// <summary>A hash of the bits of many numbers, at the speed of reading them: the same on every machine, and no defence against malice.</summary>
internal static class BitHash
{
    const ulong Odd = 0x9E37_79B9_7F4A_7C15;

    public static ulong Of(ulong start, ReadOnlySpan<double> values) => Of(start, MemoryMarshal.Cast<double, ulong>(values));

    public static ulong Of(ulong start, ReadOnlySpan<ulong> words)
    {
        // Four chains, or each multiplication would wait for the one before.
        (ulong a, ulong b, ulong c, ulong d) = (start + 1, start + 2, start + 3, start + 4);
        int k = 0;
        for (; k <= words.Length - 4; k += 4)
        {
            a = Step(a, words[k]);
            b = Step(b, words[k + 1]);
            c = Step(c, words[k + 2]);
            d = Step(d, words[k + 3]);
        }
        for (; k < words.Length; k++)
            a = Step(a, words[k]);
        return Step(Step(Step(Step((ulong)words.Length, a), b), c), d);
    }

    static ulong Step(ulong hash, ulong word) => (BitOperations.RotateLeft(hash, 23) ^ word) * Odd;
}
