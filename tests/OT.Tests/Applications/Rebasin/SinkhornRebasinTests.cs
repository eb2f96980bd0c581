using OT.Applications.Rebasin;
using OT.Neural;
using OT.Numerics;
using OT.Results;
using OT.Testing;
using OT.Tests.Neural;
using Xunit;

namespace OT.Tests.Applications.Rebasin;

public class SinkhornRebasinTests
{
    static Mlp Uniform(int h, SeededRandom random)
    {
        var net = new Mlp([1, h, h, 1], Activation.Tanh);
        for (int l = 0; l < net.LayerCount; l++)
        {
            foreach (ref double value in net.LayerPart(net.Parameters, l))
                value = ((2 * random.NextDouble()) - 1) / Math.Sqrt(net.Widths[l]);
        }
        return net;
    }

    /// <summary>The planted permutation is a global minimum of each distance, with value 0, and is found.</summary>
    [Theory]
    [InlineData(RebasinObjective.L2)]
    [InlineData(RebasinObjective.L1)]
    [InlineData(RebasinObjective.Cosine)]
    public void A_planted_permutation_is_found(RebasinObjective objective)
    {
        for (ulong seed = 0; seed < 5; seed++)
        {
            var random = new SeededRandom(seed);
            Mlp a = Uniform(10, random),
                b = a.Permute([random.NextPermutation(10), random.NextPermutation(10)]);
            RebasinResult result = new SinkhornRebasin(new() { Seed = seed, CheckEvery = 5 }).Align(a, b, objective);
            Assert.True(result.Converged, $"{result.Status} after {result.Iterations}");
            Assert.Equal(b.Parameters.ToArray(), result.Aligned.Parameters.ToArray());
            Assert.Equal(0, result.Distance);
            Assert.Equal(0, result.Objective, 1e-15);
            Assert.Equal("", result.Message);
        }
    }

    [Theory]
    [InlineData(RebasinObjective.L2)]
    [InlineData(RebasinObjective.L1)]
    [InlineData(RebasinObjective.Cosine)]
    [InlineData(RebasinObjective.MidPoint)]
    [InlineData(RebasinObjective.RandomPoint)]
    public void The_answer_is_never_worse_than_its_start_and_has_the_same_bits_again(RebasinObjective objective)
    {
        foreach (int hidden in (int[])[1, 2, 7, 33])
        {
            var net = new NetCase(3, hidden, 3, 3, 40, 5, Activation.Relu);
            bool loss = objective is RebasinObjective.MidPoint or RebasinObjective.RandomPoint;
            LearningTask? task = loss ? LearningTask.Classification(net.Examples(), net.Labels()) : null;
            var options = new RebasinOptions
            {
                MaxIterations = 25,
                BatchSize = 16,
                Seed = 3,
            };
            RebasinResult Align(IReadOnlyList<int[]>? start) =>
                new SinkhornRebasin(options).Align(net.Net(1), net.Net(2), objective, task, start);
            RebasinResult result = Align(null),
                again = Align(null),
                started = Align(net.Permutations());
            Assert.Equal(SolverStatus.IterationLimit, result.Status);
            // At the start, after 10 and 20 steps, and at the end.
            Assert.Equal((25, 4), (result.Iterations, result.History.Length));
            Assert.Equal(result.History.Min(), result.Objective);
            Assert.Equal(started.History.Min(), started.Objective);
            Assert.Equal(result.History.ToArray(), again.History.ToArray());
            Assert.Equal(result.Aligned.Parameters.ToArray(), again.Aligned.Parameters.ToArray());
            Assert.Equal(net.Net(1).Permute(result.Permutations).Parameters.ToArray(), result.Aligned.Parameters.ToArray());
            // The objective is what its definition says.
            double expected = objective switch
            {
                RebasinObjective.L2 => Pairs(result, net).Average(p => (p.X - p.Y) * (p.X - p.Y)),
                RebasinObjective.L1 => Pairs(result, net).Average(p => Math.Abs(p.X - p.Y)),
                RebasinObjective.Cosine => 1
                    - (
                        Pairs(result, net).Sum(p => p.X * p.Y)
                        / Math.Sqrt(Pairs(result, net).Sum(p => p.X * p.X) * Pairs(result, net).Sum(p => p.Y * p.Y))
                    ),
                _ => task!.Evaluate(Mlp.Interpolate(result.Aligned, net.Net(2), 0.5)).Loss,
            };
            Assert.Equal(expected, result.Objective, 1e-12 * Math.Max(1, expected));
        }
    }

    static IEnumerable<(double X, double Y)> Pairs(RebasinResult result, NetCase net) =>
        result.Aligned.Parameters.ToArray().Zip(net.Net(2).Parameters.ToArray());

    /// <summary>The whole chain, from scores to objective, against central differences.</summary>
    [Theory]
    [InlineData(RebasinObjective.L2)]
    [InlineData(RebasinObjective.L1)]
    [InlineData(RebasinObjective.Cosine)]
    [InlineData(RebasinObjective.MidPoint)]
    public void GradientVsFiniteDifference(RebasinObjective objective) =>
        Law.Check(
            NetCase.Any(),
            net =>
            {
                Mlp a = net.Net(1);
                LearningTask? task =
                    objective == RebasinObjective.MidPoint ? LearningTask.Classification(net.Examples(), net.Labels()) : null;
                if (task is not null && net.Batch > 1)
                    return; // a batch is drawn at random: with one example it is the whole task
                var aim = new RebasinAim(objective, net.Net(2), task, new RebasinOptions { BatchSize = 1 });
                double[] gradient = new double[a.Parameters.Length];
                aim.Gradient(a, gradient);
                double Value(double[] parameters)
                {
                    Mlp moved = a.Copy();
                    parameters.CopyTo(moved.Parameters);
                    return aim.Value(moved);
                }
                Differences.Check(Value, a.Parameters.ToArray(), gradient, net.Seed, objective.ToString());
            },
            fullCount: 500
        );

    [Fact]
    public void A_better_start_is_not_lost()
    {
        var random = new SeededRandom(2);
        Mlp a = Uniform(12, random);
        int[][] planted = [random.NextPermutation(12), random.NextPermutation(12)];
        RebasinResult result = new SinkhornRebasin().Align(a, a.Permute(planted), start: planted);
        Assert.Equal((SolverStatus.Converged, 0, 0.0), (result.Status, result.Iterations, result.Distance));
    }

    [Fact]
    public void Without_hidden_units_there_is_nothing_to_permute()
    {
        var net = new NetCase(3, 1, 1, 2, 1, 1, Activation.Relu);
        RebasinResult result = new SinkhornRebasin().Align(net.Net(1), net.Net(2));
        Assert.Equal(SolverStatus.Converged, result.Status);
        Assert.Empty(result.Permutations);
        Assert.NotEqual("", result.Message);
        Assert.True(result.Distance > 0);
    }

    [Fact]
    public void CancelWithinBound()
    {
        var net = new NetCase(3, 6, 3, 2, 1, 1, Activation.Relu);
        using var source = new CancellationTokenSource();
        var options = new RebasinOptions
        {
            CheckEvery = 3,
            MaxIterations = 1000,
            Progress = new Stopper(source),
        };
        RebasinResult stopped = new SinkhornRebasin(options).Align(net.Net(1), net.Net(2), cancellation: source.Token);
        Assert.Equal((SolverStatus.Cancelled, 3), (stopped.Status, stopped.Iterations));
        RebasinResult late = new SinkhornRebasin(new() { TimeLimit = TimeSpan.Zero }).Align(net.Net(1), net.Net(2));
        Assert.Equal((SolverStatus.TimeLimit, 0, 1), (late.Status, late.Iterations, late.History.Length));
        RebasinResult none = new SinkhornRebasin(new() { MaxIterations = 0 }).Align(net.Net(1), net.Net(2));
        Assert.Equal((SolverStatus.IterationLimit, 0), (none.Status, none.Iterations));
    }

    sealed class Stopper(CancellationTokenSource source) : IProgress<OT.Solvers.SolverProgress>
    {
        public void Report(OT.Solvers.SolverProgress value) => source.Cancel();
    }

    /// <summary>Parameters of any size: tiny gradients do not stop the steps, and a loss that overflows is told.</summary>
    [Fact]
    public void Scales_of_parameters()
    {
        foreach (double scale in (double[])[1e-6, 1, 1e6])
        {
            var random = new SeededRandom(1);
            Mlp a = Uniform(8, random);
            foreach (ref double value in a.Parameters)
                value *= scale;
            Mlp b = a.Permute([random.NextPermutation(8), random.NextPermutation(8)]);
            Assert.True(new SinkhornRebasin().Align(a, b).Converged, $"{scale}");
        }
        var net = new NetCase(2, 9, 4, 2, 4, 1, Activation.Relu);
        Mlp huge = net.Net(1);
        foreach (ref double value in huge.Parameters)
            value *= 1e99;
        RebasinResult result = new SinkhornRebasin().Align(
            huge,
            net.Net(2),
            RebasinObjective.MidPoint,
            LearningTask.Classification(net.Examples(), net.Labels())
        );
        Assert.Equal(SolverStatus.NumericalFailure, result.Status);
        RebasinResult wild = new SinkhornRebasin(new() { Adam = new() { LearningRate = 1e15 } }).Align(net.Net(1), net.Net(2));
        Assert.Equal((SolverStatus.NumericalFailure, 0), (wild.Status, wild.Iterations));
    }

    [Fact]
    public void Arguments_are_checked()
    {
        var net = new NetCase(3, 4, 2, 2, 5, 1, Activation.Relu);
        LearningTask task = LearningTask.Classification(net.Examples(), net.Labels());
        var solver = new SinkhornRebasin();
        Assert.Throws<ArgumentException>(() => solver.Align(net.Net(), (net with { Hidden = 5 }).Net()));
        Assert.Throws<ArgumentException>(() => solver.Align(net.Net(), (net with { Activation = Activation.Tanh }).Net()));
        Assert.Throws<ArgumentNullException>(() => solver.Align(net.Net(1), net.Net(2), RebasinObjective.MidPoint));
        Assert.Throws<ArgumentException>(() => solver.Align(net.Net(1), net.Net(2), RebasinObjective.L2, task));
        Assert.Throws<ArgumentOutOfRangeException>(() => solver.Align(net.Net(1), net.Net(2), (RebasinObjective)9));
        Assert.Throws<ArgumentException>(() =>
            solver.Align(net.Net(1), new Mlp([3, 4, 2], Activation.Relu), RebasinObjective.Cosine)
        );
        Assert.Throws<ArgumentException>(() =>
            solver.Align(
                net.Net(1),
                net.Net(2),
                start:
                [
                    [0, 1, 2, 2],
                ]
            )
        );
        Assert.Throws<ArgumentException>(() => solver.Align(net.Net(1), net.Net(2), start: []));
        Mlp broken = net.Net();
        broken.Parameters[0] = double.PositiveInfinity;
        Assert.Throws<ArgumentException>(() => solver.Align(broken, net.Net()));
        Assert.Throws<ArgumentOutOfRangeException>(() => new SinkhornRebasin(new() { Temperature = 0 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => new SinkhornRebasin(new() { InitialNoise = -1 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => new SinkhornRebasin(new() { CheckEvery = 0 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => new SinkhornRebasin(new() { BatchSize = 0 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => new SinkhornRebasin(new() { Adam = new() { LearningRate = -1 } }));
        Assert.Throws<ArgumentOutOfRangeException>(() => new SinkhornRebasin(new() { MaxIterations = -1 }));
    }
}
