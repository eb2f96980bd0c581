using FsCheck;
using FsCheck.Fluent;

namespace OT.Testing;

/// <summary>Generators of cases for <see cref="Law.Check"/>, with shrinking by size.</summary>
public static class Cases
{
    /// <summary>Every kind, 1 × 1, 1 × m and n × 1 always in the mix; sizes up to <paramref name="largest"/>.</summary>
    public static Arbitrary<TransportCase> Any(int largest = 12) => Of(largest, Enum.GetValues<CaseKind>());

    /// <summary>Every kind but <see cref="CaseKind.Forbidden"/>.</summary>
    public static Arbitrary<TransportCase> AllPairsAllowed(int largest = 12) =>
        Of(largest, [.. Enum.GetValues<CaseKind>().Where(kind => kind != CaseKind.Forbidden)]);

    /// <summary>The given kinds, in every shape up to <paramref name="largest"/>.</summary>
    public static Arbitrary<TransportCase> Of(int largest, params CaseKind[] kinds)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(largest, 2);
        ArgumentNullException.ThrowIfNull(kinds);
        Gen<(int, int)> shapes = Gen.Frequency(
            (1, Gen.Constant((1, 1))),
            (1, Gen.Choose(2, largest).Select(m => (1, m))),
            (1, Gen.Choose(2, largest).Select(n => (n, 1))),
            (9, Gen.Choose(2, largest).SelectMany(n => Gen.Choose(2, largest).Select(m => (n, m))))
        );
        Gen<TransportCase> cases =
            from shape in shapes
            from seed in Gen.Choose(0, int.MaxValue)
            from kind in Gen.Elements(kinds)
            select new TransportCase(shape.Item1, shape.Item2, (ulong)seed, kind);
        return Arb.From(cases, Smaller);
    }

    /// <summary>Smaller cases of the same kind and seed: halves first, then one less.</summary>
    public static IEnumerable<TransportCase> Smaller(TransportCase value)
    {
        ArgumentNullException.ThrowIfNull(value);
        if (value.Rows > 3)
            yield return value with
            {
                Rows = value.Rows / 2,
            };
        if (value.Columns > 3)
            yield return value with
            {
                Columns = value.Columns / 2,
            };
        if (value.Rows > 1)
            yield return value with
            {
                Rows = value.Rows - 1,
            };
        if (value.Columns > 1)
            yield return value with
            {
                Columns = value.Columns - 1,
            };
    }
}
