namespace OT.Numerics;

/// <summary>A counter-based random stream: the k-th number is a hash of (seed, k), the same on every platform.</summary>
/// <remarks>SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.</remarks>
public sealed class SeededRandom(ulong seed)
{
    ulong _state = seed;
    double _spareNormal = double.NaN;

    /// <summary>64 uniformly distributed bits.</summary>
    public ulong NextBits()
    {
        ulong z = _state += 0x9E37_79B9_7F4A_7C15;
        z = (z ^ (z >> 30)) * 0xBF58_476D_1CE4_E5B9;
        z = (z ^ (z >> 27)) * 0x94D0_49BB_1331_11EB;
        return z ^ (z >> 31);
    }

    /// <summary>Uniform in [0, 1), a multiple of 2⁻⁵³.</summary>
    public double NextDouble() => (NextBits() >> 11) * (1.0 / (1UL << 53));

    /// <summary>Uniform in {0, …, count − 1}.</summary>
    public int NextInt(int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(count);
        return (int)(((UInt128)NextBits() * (ulong)count) >> 64);
    }

    /// <summary>Standard normal, by Box and Muller.</summary>
    public double NextNormal()
    {
        if (!double.IsNaN(_spareNormal))
        {
            double spare = _spareNormal;
            _spareNormal = double.NaN;
            return spare;
        }
        double radius = Math.Sqrt(-2 * Math.Log(1 - NextDouble()));
        (double sin, double cos) = Math.SinCos(2 * Math.PI * NextDouble());
        _spareNormal = radius * sin;
        return radius * cos;
    }

    /// <summary>A uniformly drawn permutation of 0 … count − 1.</summary>
    public int[] NextPermutation(int count)
    {
        var order = new int[count];
        for (int i = 0; i < count; i++)
        {
            int j = NextInt(i + 1);
            order[i] = order[j];
            order[j] = i;
        }
        return order;
    }
}
