using OT.Accelerators.Native;
using OT.Backends;
using OT.Geometries;
using OT.Testing;
using Xunit;

namespace OT.Accelerators.Tests.Native;

/// <summary>The laws of back ends in every instruction set that this processor has, and in both precisions.</summary>
[Collection(NativePaths.Name)]
public sealed class NativeBackendTests
{
    /// <summary>Kinds with kernels of their own; the rest is managed code, which has these laws already.</summary>
    static readonly string[] Native =
    [
        "doubles",
        "floats",
        "signed",
        "points1",
        "points2",
        "points3",
        "points7",
        "points far away",
        "half squared",
        "forbidden",
        "forbidden floats",
    ];

    public static TheoryData<string, Precision, string> Everything
    {
        get
        {
            var data = new TheoryData<string, Precision, string>();
            foreach ((string isa, Precision precision) in Kinds)
            {
                foreach (string kind in Native)
                    data.Add(isa, precision, kind);
            }
            return data;
        }
    }

    public static TheoryData<string, Precision> Isas => [.. Kinds];

    static IEnumerable<(string, Precision)> Kinds =>
        from isa in NativeLibrary.Isas
        from precision in (Precision[])[Precision.Float64, Precision.Float32]
        select (isa.ToString(), precision);

    static NativeBackend Open(string isa, int threads = 2) => NativeLibrary.Open(Enum.Parse<LibOt.Isa>(isa), threads);

    [Theory]
    [MemberData(nameof(Everything))]
    public void Soft_and_hard_minima_are_those_of_the_definition(string isa, Precision precision, string kind)
    {
        using NativeBackend backend = Open(isa);
        new BackendLaws(backend, precision).Minima(kind);
    }

    [Theory]
    [MemberData(nameof(Everything))]
    public void Iterations_are_those_of_the_definition(string isa, Precision precision, string kind)
    {
        using NativeBackend backend = Open(isa);
        new BackendLaws(backend, precision).Iterations(kind);
    }

    [Theory]
    [MemberData(nameof(Everything))]
    public void Plans_are_those_of_the_definition(string isa, Precision precision, string kind)
    {
        using NativeBackend backend = Open(isa);
        new BackendLaws(backend, precision).Plans(kind);
    }

    [Theory]
    [MemberData(nameof(Isas))]
    public void Every_small_count_of_rows_and_columns(string isa, Precision precision)
    {
        using NativeBackend backend = Open(isa, 1);
        foreach (string kind in (string[])["doubles", "floats", "forbidden", "points1", "points2", "points3", "points7"])
            new BackendLaws(backend, precision).SmallCounts(kind);
    }

    [Theory]
    [InlineData("points2", 5000, 3)]
    [InlineData("doubles", 5000, 3)]
    [InlineData("points3", 5, 2100)]
    [InlineData("points7", 5, 1030)]
    [InlineData("floats", 7, 3000)]
    [InlineData("doubles", 7, 20_000)]
    [InlineData("points2", 3, 40_000)]
    public void Long_rows_and_many_rows(string kind, int n, int m)
    {
        foreach ((string isa, Precision precision) in Kinds)
        {
            NativeLibrary.Require();
            if (!NativeLibrary.Runs(Enum.Parse<LibOt.Isa>(isa)))
                continue;
            using NativeBackend backend = Open(isa);
            new BackendLaws(backend, precision).Large(kind, n, m);
        }
    }

    [Theory]
    [MemberData(nameof(Isas))]
    public void Wild_guesses_change_nothing(string isa, Precision precision)
    {
        using NativeBackend backend = Open(isa);
        foreach (string kind in (string[])["doubles", "forbidden", "points2", "points7", "points far away"])
            new BackendLaws(backend, precision).WildGuesses(kind);
    }

    [Theory]
    [MemberData(nameof(Isas))]
    public void Columns_and_rows_out_of_range_are_repaired(string isa, Precision precision)
    {
        using NativeBackend backend = Open(isa);
        new BackendLaws(backend, precision).OutOfRange();
    }

    [Theory]
    [MemberData(nameof(Everything))]
    public void Repeats_give_the_same_bits(string isa, Precision precision, string kind)
    {
        using NativeBackend backend = Open(isa);
        new BackendLaws(backend, precision).Repeats(kind, 70, 45);
    }

    [Theory]
    [MemberData(nameof(Everything))]
    public void A_cancelled_operator_says_so_and_leaves_potentials_as_they_were(string isa, Precision precision, string kind)
    {
        using NativeBackend backend = Open(isa);
        new BackendLaws(backend, precision).Cancellation(kind);
    }

    [Theory]
    [MemberData(nameof(Isas))]
    public void Thread_counts_give_the_same_bits(string isa, Precision precision)
    {
        foreach (string kind in (string[])["doubles", "forbidden floats", "points2", "points7", "points far away"])
        {
            Geometry geometry = SomeGeometry.Of(kind, 300, 1200);
            long[][] bits = Array.ConvertAll(
                (int[])[1, 2, 3, 7],
                threads =>
                {
                    using NativeBackend backend = Open(isa, threads);
                    using ICostOperator op = backend.Bind(geometry, precision);
                    return BackendLaws.Bits(op, geometry);
                }
            );
            Assert.All(bits, other => Assert.True(bits[0].AsSpan().SequenceEqual(other), $"{kind}: threads change bits"));
        }
    }
}
