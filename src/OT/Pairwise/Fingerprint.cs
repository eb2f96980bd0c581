using System.Runtime.InteropServices;

namespace OT.Pairwise;

/// <summary>A 64-bit digest that tells inputs apart and finds damage, the same on every platform; no defence against forgery.</summary>
/// <remarks>Each word is mixed as SplitMix64 mixes its counter: Steele, Lea, Flood, OOPSLA 2014.</remarks>
struct Fingerprint
{
    public ulong Value { get; private set; }

    public void Add(ReadOnlySpan<double> values)
    {
        foreach (double value in values)
            Add(BitConverter.DoubleToUInt64Bits(value));
    }

    /// <summary>Length and characters.</summary>
    public void Add(ReadOnlySpan<char> text)
    {
        Add((ulong)text.Length);
        foreach (ushort unit in MemoryMarshal.Cast<char, ushort>(text))
            Add(unit);
    }

    void Add(ulong word)
    {
        ulong z = (Value ^ word) + 0x9E37_79B9_7F4A_7C15;
        z = (z ^ (z >> 30)) * 0xBF58_476D_1CE4_E5B9;
        z = (z ^ (z >> 27)) * 0x94D0_49BB_1331_11EB;
        Value = z ^ (z >> 31);
    }
}
