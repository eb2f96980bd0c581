using OT.Geometries;
using OT.IO;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using Xunit;

namespace OT.Tests.IO;

public sealed class ResultFileTests
{
    static readonly LinearProblem s_problem = new(
        new CostMatrix(2, 3, [0, 1, 2, 3, 4, 5.0]),
        Measure.Of([0.25, 0.75]),
        Measure.Of([0.5, 0.25, 0.25])
    )
    {
        Regularizer = Regularizer.Entropy(Epsilon.Absolute(0.5)),
    };

    static readonly SparseMatrix s_masses = SparseMatrix.FromTriples(2, 3, [0, 1, 1, 1], [0, 0, 1, 2], [0.25, 0.25, 0.25, 0.25]);
    static readonly Potentials s_potentials = new([0.1, 0.2], [-0.3, 0.4, 0.5]);

    public static TheoryData<string> Forms => ["sparse", "dense", "implicit"];

    [Theory]
    [MemberData(nameof(Forms))]
    public void Round_trip_keeps_every_part(string form)
    {
        using var folder = new TemporaryFolder();
        TransportResult result = Result(form);
        ResultFile.Save(folder["r.npz"], result);
        TransportResult read = ResultFile.Read(folder["r.npz"], s_problem);

        Assert.Equal(result.Plan.GetType(), read.Plan.GetType());
        Assert.Equal(result.Plan.ToDense().Values.ToArray(), read.Plan.ToDense().Values.ToArray());
        Assert.Equal(result.Potentials!.F.ToArray(), read.Potentials!.F.ToArray());
        Assert.Equal(result.Potentials.G.ToArray(), read.Potentials.G.ToArray());
        Assert.Equal(
            (result.Status, result.Iterations, result.Epsilon, result.MarginalError, result.Backend, result.Why, result.Message),
            (read.Status, read.Iterations, read.Epsilon, read.MarginalError, read.Backend, read.Why, read.Message)
        );
        Assert.Equal(
            (result.TransportCost, result.RegularizerValue, result.PenaltyValueA, result.PenaltyValueB, result.Value),
            (read.TransportCost, read.RegularizerValue, read.PenaltyValueA, read.PenaltyValueB, read.Value)
        );
        Assert.Equal(result.Errors.AsEnumerable(), read.Errors);
    }

    [Fact]
    public void Another_problem_is_refused()
    {
        using var folder = new TemporaryFolder();
        ResultFile.Save(folder["r.npz"], Result("sparse"));
        var other = new LinearProblem(s_problem.Geometry, Measure.Of([0.5, 0.5]), s_problem.B);
        Assert.Throws<ArgumentException>(() => ResultFile.Read(folder["r.npz"], other));
    }

    [Fact]
    public void A_later_version_is_refused()
    {
        using var folder = new TemporaryFolder();
        NpzFile.Write(folder["r.npz"], ("version", new NpyArray([99L])));
        InvalidDataException e = Assert.Throws<InvalidDataException>(() => ResultFile.Read(folder["r.npz"], s_problem));
        Assert.Contains("later version", e.Message, StringComparison.Ordinal);
    }

    static TransportResult Result(string form) =>
        new()
        {
            Problem = s_problem,
            Plan = form switch
            {
                "sparse" => new SparsePlan(s_masses),
                "dense" => new DensePlan(s_masses.ToDense()),
                _ => new PotentialPlan(s_problem.Geometry, s_problem.A, s_problem.B, s_potentials, 0.5),
            },
            Potentials = s_potentials,
            Status = SolverStatus.TimeLimit,
            Iterations = 17,
            Epsilon = 0.5,
            TransportCost = 1.25,
            RegularizerValue = 0.125,
            PenaltyValueA = 0.5,
            PenaltyValueB = 0.0625,
            MarginalError = 1e-3,
            Errors = [0.1, 0.01],
            Backend = "managed, Float64",
            Why = "ε was given",
            Message = "b was scaled",
        };

    [Fact]
    public void Weights_scaled_within_the_slack_are_the_problems()
    {
        using var folder = new TemporaryFolder();
        ResultFile.Save(folder["r.npz"], Result("sparse"));
        LinearProblem Scaled(double factor) => new(s_problem.Geometry, s_problem.A, s_problem.B.Scale(factor));
        Assert.Equal(0.5, ResultFile.Read(folder["r.npz"], Scaled(1 + 1e-10)).Problem.B.Weights[0], 1e-9);
        Assert.Throws<ArgumentException>(() => ResultFile.Read(folder["r.npz"], Scaled(1 + 1e-8)));
    }
}
