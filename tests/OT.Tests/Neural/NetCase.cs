using FsCheck;
using FsCheck.Fluent;
using OT.Neural;
using OT.Numerics;

namespace OT.Tests.Neural;

/// <summary>A small network and a batch, named by a few numbers.</summary>
public sealed record NetCase(int Inputs, int Hidden, int Layers, int Outputs, int Batch, ulong Seed, Activation Activation)
{
    /// <summary>Widths from 1 up, one to four layers, every activation.</summary>
    public static Arbitrary<NetCase> Any() =>
        Arb.From(
            from inputs in Gen.Choose(1, 5)
            from hidden in Gen.Choose(1, 6)
            from layers in Gen.Choose(1, 4)
            from outputs in Gen.Choose(1, 4)
            from batch in Gen.Choose(1, 5)
            from seed in Gen.Choose(0, int.MaxValue)
            from activation in Gen.Elements(Enum.GetValues<Activation>())
            select new NetCase(inputs, hidden, layers, outputs, batch, (ulong)seed, activation),
            Smaller
        );

    public static double[] Normals(int count, SeededRandom random) =>
        [.. Enumerable.Range(0, count).Select(_ => random.NextNormal())];

    public static Matrix Normals(int rows, int columns, SeededRandom random) =>
        new(rows, columns, Normals(rows * columns, random));

    /// <summary>All parameters random, biases too.</summary>
    public Mlp Net(ulong stream = 0)
    {
        var random = new SeededRandom(Seed + (1000 * stream));
        var net = new Mlp([Inputs, .. Enumerable.Repeat(Hidden, Layers - 1), Outputs], Activation);
        Normals(net.Parameters.Length, random).CopyTo(net.Parameters);
        return net;
    }

    public Matrix Examples() => Normals(Batch, Inputs, new SeededRandom(Seed ^ 0xBA7C));

    public int[] Labels()
    {
        var random = new SeededRandom(Seed ^ 0x1ABE1);
        return [.. Enumerable.Range(0, Batch).Select(_ => random.NextInt(Outputs))];
    }

    public int[][] Permutations(ulong stream = 0)
    {
        var random = new SeededRandom(Seed ^ (0x9E21 + stream));
        return [.. Enumerable.Range(0, Layers - 1).Select(_ => random.NextPermutation(Hidden))];
    }

    static IEnumerable<NetCase> Smaller(NetCase value)
    {
        if (value.Layers > 1)
            yield return value with
            {
                Layers = value.Layers - 1,
            };
        if (value.Hidden > 1)
            yield return value with
            {
                Hidden = value.Hidden - 1,
            };
        if (value.Batch > 1)
            yield return value with
            {
                Batch = 1,
            };
        if (value.Inputs > 1)
            yield return value with
            {
                Inputs = 1,
            };
        if (value.Outputs > 1)
            yield return value with
            {
                Outputs = value.Outputs - 1,
            };
    }
}
